//! Series that the tables of the package lack: other countries' reports, encyclopaedias, further spellings.
//!
//! Entries are separated by `;` or lines, spellings by `|`, the usual one first.

/// American series of cases and annotations, and further spellings of listed ones.
pub(super) const CASES: &str = "
U.S.|United States Reports;F.2d|Fed. 2d|F.2nd;F.3d|Fed. 3d|F.3rd;F. Supp.|Fed. Supp.|F. Sup.;F. Supp. 2d|Fed. Supp. 2d;F. Supp. 3d|Fed. Supp. 3d;P.3d|Pac. 3d;S.E.3d;T.C. Memo.|T.C.M. Memo;T.C. Summary Opinion|T.C. Summ. Op.
A.L.R.7th;A.L.R. Fed. 3d;Am. Jur. 2d|Amer. Jur. 2d;Am. Jur. Trials;Am. Jur. Proof of Facts;C.J.;C.J.S.;Cyc.;Am. Corp. Cas.;Am. Bankr. R.;Am. Bankr. Rep. (n.s.);Am. Ann. Cas.|Ann. Cas.;Am. Cr. R.
N.J.A.R.;Idaho App.;Tex. Crim.|Tex. Crim. App.;Ky. Dec.;Haw. Fed.;Env't Rep. Cas.;Lab. Rel. Ref. Man.;Pension Plan Guide (CCH);Radio Reg. (P & F);Radio Reg. 2d (P & F);Pat. Off. Gaz.;Off. Gaz. Pat. Office
F.L.R.A. No.;NLRB No.;F.P.C.;S.E.C.;C.A.B.;F.M.C.;I.B.L.A.;Land Dec.;C.B.|Cum. Bull.;Comp. Dec.;U.S. Op. Off. Legal Counsel;Op. Att'y Gen.|Ops. Atty. Gen.
Rob. (N.Y.);Met. (Ky.);Mart. (La.);Har. (N.J.);South. (N.J.);Dudl. (Ga.);Greenl.;Har. & McH.;Har. & G.;Gill & J.;Halst.;Halst. Ch.;Zab.;Dutch.;Beas.;Saxt.;Coxe;Spenc.;Wils.;G. Greene;Mann.;Minn. (Gil.);Ga. Dec.;R.M. Charlt.;T.U.P. Charlt.;Serg. & Rawle|S. & R.;Hen. & M.|Hen. & Munf.
";

/// Reports of India and of the Commonwealth.
pub(super) const FOREIGN: &str = "
SCC|S.C.C.;SCR|S.C.R.;SCC (Cri)|SCC Cri;SCC (L&S)|SCC L&S;Supp SCC|SCC Supp;SCC OnLine SC|SCC Online SC;SCALE;JT;Cri LJ|Cri. L.J.|CrLJ|Cr. L.J.|Crl. L.J.;ITR|I.T.R.;STC;ELT;GLR;GLH;KLT;KHC;MLJ;LW;ALT|Andh LT;ALD;BomCR|Bom CR|Bom. C.R.;Mh LJ|Mah LJ|Mh.L.J.;PLR;RCR (Civil);RCR (Criminal);DLT;LLJ;LLN;Lab IC;FLR;CLR;CTC;TMI;ACJ;Comp Cas;UPLBEC;AWC;ADJ;ALL LJ;PLJR;BLJR;CWN;CLJ;CHN;ILR|I.L.R.;Cal LJ;Guj LR;Ker LT;Raj LW;SLT;OLR;JLJ;MPLJ;Crimes;ACC;SCJ;UJ;Supreme;ECR;STR;GSTR;Taxman;ITD;TTJ
SLR|S.L.R.;SLJ;AIR SCW|SCW;AIC;RLW;WLC;Civ CC|CivCC;DRJ;Kar LJ|Kant LJ|KarLJ;LLR;Bom LR|Bom. L.R.;Comp LJ;PTC;All LJ;ALR;MWN;APLJ;ALD (Cri)|ALD Cri;An WR|An.W.R.;Shim LC|Sim LC;JKJ;GLT|Gau LT;CLT|Cut LT;SCT;RSJ;PLJ;MhLR;UC;SRJ;KCCR;LS;Arb LR;BC;CPJ;CPR;RCC;TAC;ILR (Kar)|ILR Kar;ILR (Del)|ILR Del;ILR (Bom)|ILR Bom;ILR (Mad)|ILR Mad
QB|Q.B.;KB|K.B.;AC|A.C.;Ch. D.;WLR|W.L.R.;All ER|All E.R.;Eng. Rep.;ER;Lloyd's Rep.;Cr. App. R.;U.C.Q.B.;D.L.R.;O.R.;C.L.R.;N.Z.L.R.
";

/// American series that report statutes or session laws by volume and page.
pub(super) const LAWS: &str = "
Stat.|Stat. at L.|Stat. at Large|Statutes at Large;U.S.C.C.A.N.|U.S. Code Cong. & Admin. News;DCSTAT|D.C. Stat.;Cong. Rec.;Cong. Globe;Weekly Comp. Pres. Doc.
";

/// American registers of regulations.
pub(super) const REGISTERS: &str = "D.C. Reg.|DCR|D.C.R.;N.Y. Reg.";

/// Journals.
pub(super) const JOURNALS: &str = "Harv. C.R.-C.L.;Fordham Int'l;Bus. Law.;Fam. Advoc.;Judicature";

/// Neutral citations by year: the word between year and number.
pub(super) const NEUTRAL: &str = "
NCSC;NCCOA;NCBC;NCWCA;MI;DE;ID;GU;DNH;D.N.H.;N.D.;S.D.;N.D. App.;Ark. App.;NH";

/// Neutral citations of India and the Commonwealth.
pub(super) const FOREIGN_NEUTRAL: &str = "
EWCA Civ;EWCA Crim;EWHC;UKSC;UKHL;UKPC;ONCA;BCCA;ABCA;SCC;FCA;FC;HCA;FCAFC;INSC;DHC;SCC OnLine Del;SCC OnLine Bom;SCC OnLine Cal;SCC OnLine Mad;SCC OnLine Kar;SCC OnLine All;SCC OnLine Ker;SCC OnLine Guj;SCC OnLine P&H;SCC OnLine MP;SCC OnLine Raj;SCC OnLine Ori;SCC OnLine Pat;SCC OnLine NCLAT
";
