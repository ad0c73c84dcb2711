//! Finds reporters by their abbreviation, in fixed lists and among the states' reporters.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::reporter_key::{LONGEST_KEY, reporter_key};
use super::state_reporters;
use crate::model::CitationForm;

/// A series of volumes that citations point into.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    /// The usual abbreviation.
    pub(crate) name: String,
    /// The form of its citations.
    pub(crate) form: CitationForm,
    /// Key of its court, if it reports only one.
    pub(crate) court: Option<&'static str>,
    /// Whether its volumes are years, as in neutral citations.
    pub(crate) by_year: bool,
}

/// Finds a reporter by its key.
pub(crate) fn reporter(key: &str) -> Option<Reporter> {
    if key.len() > LONGEST_KEY {
        return None;
    }
    let of_state = || {
        let (name, form) = state_reporters::named(key)?;
        let court = one_court(&name);
        Some(Reporter { name, form, court, by_year: false })
    };
    LISTED.get(key).cloned().or_else(of_state).or_else(|| NEUTRALS.get(key).cloned())
}

/// Reporters of federal courts, regional and specialised ones. `|` separates the usual form from other
/// spellings.
const CASE_REPORTERS: &str = "
U.S.|United States Reports;S. Ct.|Sup. Ct.;L. Ed.;L. Ed. 2d;U.S.L.W.;U.S. App. D.C.;App. D.C.;D.C. App.
F.|Fed. Rep.|Fed.;F.2d|Fed. 2d|F.2nd;F.3d|Fed. 3d|F.3rd;F.4th;F. App'x|Fed. App'x|Fed. Appx.|F. Appx.;F. Cas.|Fed. Cas.
F. Supp.|Fed. Supp.|F. Sup.;F. Supp. 2d|Fed. Supp. 2d;F. Supp. 3d|Fed. Supp. 3d;F.R.D.;B.R.|Bankr.;Fed. Cl.;Cl. Ct.;Ct. Cl.;C.C.P.A.;Ct. Int'l Trade|C.I.T.;Cust. Ct.
M.J.;C.M.R.;C.M.A.|U.S.C.M.A.;T.C.;T.C.M.;T.C.M. (CCH);T.C.M. (P-H);T.C. Memo.|T.C. Memo|T.C.M. Memo;T.C. Summary Opinion|T.C. Summ. Op.;B.T.A.;Vet. App.;I. & N. Dec.|I&N Dec.;U.S.P.Q.;U.S.P.Q.2d;WL;LEXIS
U.S. LEXIS;U.S. App. LEXIS;U.S. Dist. LEXIS;Bankr. LEXIS;Tax Ct. Memo LEXIS;F. App'x. LEXIS;Wall. Jr.;Johns. Ch.;Rob.
A.;A.2d|Atl. 2d;A.3d;Atl.;N.E.;N.E.2d;N.E.3d;N.W.;N.W.2d;N.W.3d;P.|Pac.;P.2d|Pac. 2d;P.3d|Pac. 3d;S.E.;S.E.2d;S.E.3d;S.W.;S.W.2d;S.W.3d;So.|South.;So. 2d|So.2nd;So. 3d
Cal. Rptr.;Cal. Rptr. 2d;Cal. Rptr. 3d;N.Y.S.|N.Y. Supp.;N.Y.S.2d;N.Y.S.3d;Ill. Dec.;N.Y. Crim. R.;N.Y. St. Rep.;N.Y. Slip Op.|NY Slip Op;Misc.;Misc. 2d;Misc. 3d;A.D.|App. Div.;A.D.2d|App. Div. 2d;A.D.3d|App. Div. 3d
Cal. Unrep.;Cal. Comp. Cases;Ohio St.;Ohio St. 2d;Ohio St. 3d;Ohio App. Unrep.;Ohio Op.;Ohio Op. 2d;Ohio Op. 3d;Ohio N.P.;Ohio N.P. (n.s.);Ohio Cir. Dec.;Ohio C.C. (n.s.);Ohio C.D.;Pa. D. & C.;Pa. D. & C.2d;Pa. D. & C.3d;Pa. D. & C.4th;Pa. D. & C.5th;Pa. Commw.|Pa. Cmwlth.;Pa. County Ct.;Pa. Dist.;Conn. L. Rptr.;Conn. Supp.;Conn. Cir. Ct.
N.J. Misc.;N.J. Tax;N.J.A.R.;Va. Cir.;Va. Dec.;Wash. Terr.;Mass. App. Ct.;Mass. App. Dec.;Mass. App. Div.;Mass. Supp.;Mass. L. Rptr.;Md. App.;N.C. App.;Tenn. App.;Tenn. Crim. App.;Tex. Crim.|Tex. Cr. R.|Tex. Crim. App.;Tex. Civ. App.;Tex. Sup. Ct. J.;Okla. Crim.|Okl. Cr.;Kan. App. 2d;Haw. App.;La. Ann.;La. App.;Ga. App.;Ill. App.;Ill. App. 2d;Ill. App. 3d;Ill. Ct. Cl.;Ind. App.;Mo. App.;Neb. App.;Del. Ch.;Del. Cas.;Del. Super.;Idaho App.;Iowa Dec.;Ky. L. Rptr.;Ky. Op.
Fla. Supp.;Fla. Supp. 2d;Fla. L. Weekly;Fla. L. Weekly Supp.;Fla. L. Weekly Fed.;Ga. L. Rep.;Haw. Fed.;P.R. Dec.|D.P.R.;P.R. Offic. Trans.;Guam;N. Mar. I.;Am. Samoa;Am. Samoa 2d;Navajo Rptr.;Alaska Fed.
Cranch;Wheat.;Pet.;How.;Black;Wall.;Dall.;Gall.;Sumn.;Story;Mason;Wash. C.C.;Paine;Blatchf.;Blatchf. & H.;Ben.;Abb. U.S.;Abb. Adm.;Baldw.;Bald.;Bond;Biss.;Bee;Brock.;Curt.;Cliff.;Crabbe;Deady;Dill.;Fish. Pat. Cas.;Flip.;Gilp.;Hask.;Hempst.;Hoff.;Hoff. Land Cas.;Holmes;Hughes;Low.|Lowell;McAll.;McCrary;McLean;Newb. Adm.;Olc.|Olcott;Sawy.;Sprague;Taney;Ware;Woodb. & M.;Woods;Woolw.;Wall. Jr.;Van Ness;Pet. C.C.;Pet. Adm.;Cranch C.C.;Cranch, Pat. Dec.;Hayw. & H.;Brunn. Coll. C.;Brown Adm.|Brown, Adm.;Abbotts
Am. Dec.;Am. Rep.;Am. St. Rep.|Am. St. R.;Am. Ann. Cas.|Ann. Cas.;Am. Cr. R.;L.R.A.;L.R.A.N.S.|L.R.A. (N.S.);A.L.R.;A.L.R.2d;A.L.R.3d;A.L.R.4th;A.L.R.5th;A.L.R.6th;A.L.R.7th;A.L.R. Fed.;A.L.R. Fed. 2d;A.L.R. Fed. 3d;Am. Jur.|Amer. Jur.;Am. Jur. 2d|Amer. Jur. 2d;Am. Jur. Trials;Am. Jur. Proof of Facts;C.J.;C.J.S.;Cyc.;Am. Law Reg.;Am. Corp. Cas.;Am. Bankr. R.;Am. Bankr. Rep. (n.s.)
A.F.T.R.;A.F.T.R.2d;A.F.T.R. (RIA);A.F.T.R.2d (RIA);A.F.T.R. (P-H);A.M.C.;BCA|B.C.A. (CCH);Bankr. Ct. Dec. (CRR);Bankr. L. Rep.|Bankr. L. Rep. (CCH);Blue Sky L. Rep. (CCH)|Blue Sky L. Rep.;Collier Bankr. Cas.;Collier Bankr. Cas. 2d;Comp. Gen.;Comp. Dec.;Cont. Cas. Fed.;Copyright L. Rep. (CCH);Empl. Prac. Dec. (CCH)|Empl. Prac. Dec.;Energy Mgmt. (CCH)|Energy Mgt.|Energy Mgmt.;Env't Rep. Cas.|Env't Rep. Cas. (BNA)|ERC;Envtl. L. Rep.|ELR;Fair Empl. Prac. Cas.|Fair Empl. Prac. Cas. (BNA)|FEP Cas.;Fed. Carr. Cas. (CCH);Fed. R. Evid. Serv.;Fed. R. Serv.;Fed. R. Serv. 2d;Fed. R. Serv. 3d;Fed. Sec. L. Rep. (CCH)|Fed. Sec. L. Rep.;Ins. L. Rep. (CCH);L.R.R.M.|L.R.R.M. (BNA);Lab. Cas. (CCH)|Lab. Cas.;Lab. Arb. Rep. (BNA);Lab. Rel. Ref. Man.;Media L. Rep. (BNA)|Media L. Rep.;NLRB Dec. (CCH);Nuclear Reg. Rep. (CCH)|Nuclear Reg. Rep.;O.S.H. Cas. (BNA)|OSHC;OSHD (CCH)|CCH OSHD;Pension Plan Guide (CCH);Pens. Plan Guide (CCH);Prod. Liab. Rep. (CCH)|Prod. Liab. Rep.;RICO Bus. Disp. Guide (CCH)|RICO Bus. Disp. Guide;Trade Cas. (CCH)|Trade Cas.;Trade Reg. Rep. (CCH);U.C.C. Rep. Serv.|U.C.C. Rep. Serv. (CBC);U.C.C. Rep. Serv. 2d;Unemployment Ins. Rep.|Unempl. Ins. Rep. (CCH)|CCH Unemployment Ins. Rep.;U.S. Tax Cas. (CCH)|U.S.T.C.;Wage & Hour Cas. (BNA)|Wage & Hour Cas.;Av. Cas. (CCH)|Av. Cas.;Soc. Sec. Rep. Serv.;Radio Reg. (P & F);Radio Reg. 2d (P & F);Pat. Off. Gaz.;Off. Gaz. Pat. Office;Dec. Com. Pat.
NLRB|N.L.R.B.;NLRB No.;F.L.R.A.;F.L.R.A. No.;FERC|F.E.R.C.;F.P.C.;F.C.C.;F.C.C.2d;F.C.C. Rcd.;F.T.C.;S.E.C.;S.E.C. Docket;I.C.C.;I.C.C.2d;S.T.B.;C.A.B.;F.M.C.;M.S.P.R.;N.R.C.;A.E.C.;N.T.S.B.;E.A.D.;I.B.L.A.;Interior Dec.;Pub. Lands Dec.;Land Dec.;Agric. Dec.;Cust. B. & Dec.;Treas. Dec.;C.B.|Cum. Bull.;I.R.B.;U.S. Op. Off. Legal Counsel|Op. O.L.C.;Op. Att'y Gen.|Op. Atty. Gen.|Ops. Atty. Gen.;FCDR|Fulton County D. Rep.;W.H. Cases;O.S.U.;SCDB
Leg. Int.;Phila.;Luz. Leg. Reg.;Lanc. L. Rev.;York Leg. Rec.;Pitts. L.J.;Del. Co. Rep.;Alb. L.J.;Cent. Law J.|Cent. L.J.;Chi. Leg. News;West. Law J.|W.L.J.;West. Law Month.|W.L.M.;Law Rep.;Hall, Law J.|Hall. Law J.;Amer. Law J.|Am. Law J.;Amer. Law J. (N. S.)|Am. Law J. (N. S.);Amer. L. Rev.|Amer. Law Rev.|Am. Law Rev.;U.S. Law Int.;Int. Rev. Rec.;Niles Reg.|Niles' Reg.;Haz. Reg. Pa.;How. Pr.|How. Prac.|How. Pr. Rep.;How. Pr. (n.s.);Abb. Pr.;Abb. Pr. (n.s.);Abb. Ct. App.;Abb. N. Cas.;N.Y. Leg. Obs.;N.B.R.|Nat. Bankr. Reg.;N.B.R. (Supp.)|Bankr. Reg. Supp.;App. Com'r Pat.;Car. L. Rep.|Car. Law Repos.
Barb.;Barb. Ch.;Wend.;Cow.;Johns.;Johns. Cas.;Hill;Hill & Den.;Denio;Den.;Edw. Ch.;Paige;Paige Ch.;Sand. Ch.;Sandf.;Duer;Bosw.;Bradf.;Daly;Demarest;Hun;Keyes;Lans.;Redf.;Rob. (N.Y.);Thomp. & Cook;Cai.;Cai. Cas.;Cole. Cas.;Cole. & Cai. Cas.;Sel. Notes;Silv. Ct. App.;Trans. App.;Tuck.;Code Rep.;E.D. Smith;Hilt.;Lock. Rev. Cas.;Clarke Ch.
Mass.;Pick.;Met.|Metc.;Cush.;Gray;Allen;Will. Mass.;Tyng;Dane Ab.;Rawle;Serg. & Rawle|S. & R.;Binn.;Yeates;Watts;Watts & Serg.;Penr. & W.;Whart.;Grant;Walk.;Add.;Ashm.;Browne (Pa.);Brightly;Clark;Miles;Parsons;Pears.;Pennyp.;Sad.|Sadler;W.N.C.;Weekly Notes of Cas.;Just. L.R.
Rich.;Rich. Eq.;Bail.;Bail. Eq.;Bay;Brev.;Chev.;Chev. Eq.;Des.;Dud.;Dud. Eq.;Hill Eq.;Mill;Mc Cord|McCord;McMul.;Nott & McC.;Rice;Speers;Strob.;Strob. Eq.;Tread.;Gratt.;Rand.;Leigh;Munf.;Hen. & M.|Hen. & Munf.;Call;Gilmer;Jeff.;Rob. (Va.);Pat. & Heath;Va. Col. Dec.;Hard.;Bibb;A.K. Marsh.;J.J. Marsh.;B. Mon.;Ben. Mon.;T.B. Mon.;Dana;Duv.;Met. (Ky.);Bush;Litt.;Litt. Sel. Cas.;Ky. Dec.;Sneed;Heisk.;Humph.;Head;Cold.;Baxt.;Lea;Yer.|Yerg.;Overt.;Cooke;Hayw.;Meigs;Mart. & Yer.;Peck;Swan;Tenn. Ch. App.;Tenn. Ch. R.;Shannon Cas.;Thompson|Unrep. Tenn. Cas.;Hawks;Dev.;Dev. & Bat.;Dev. Eq.;Dev. & Bat. Eq.;Ired.;Ired. Eq.;Jones;Jones Eq.;Busb.;Busb. Eq.;Phil.;Phil. Eq.;Win.;Mur.;Hayw. (N.C.);Mart. (N.C.);Tay.;Taylor
Scam.;Gilm.;Breese;Blackf.;Smith;Wils.;Greene;G. Greene;Morris;Clarke;Cole;Bradw.;Doug.;Mann.;Walk. Ch.;Har. Ch.;Pin.|Pinn.;Chand.;Burnett;Minn. (Gil.);McCahon;Dassler;Fairf.;Greenl.;Shep.;App.;Redington;Har. & J.|H. & J.;Har. & McH.;Har. & G.;Gill;Gill & J.;Bland;Md. Ch.;Green;Green Eq.;Halst.;Halst. Ch.;Har. (N.J.);Zab.;Dutch.;Vroom;C.E. Gr.;McCart.;Stock.;Beas.;Saxt.;South. (N.J.);Penning.;Coxe;Spenc.;Gummere;Houst.;Harr.;Boyce;Marv.;Penne.;Terry;W.W. Harr.;Root;Kirby;Day;Rob. (La.);Mart. (La.);Mart. (n.s.)|Mart. N.S.;McGloin;Teiss.;Port.;Stew.;Stew. & P.;Minor;Shep. Sel. Cas.;Dallam;Posey;White & W.;Robards;Kelly;Dudl. (Ga.);R.M. Charlt.;T.U.P. Charlt.;Ga. Dec.;Cobb;Idaho;Coffey Prob. Dec.;Labatt;Myrick;Or. Tax;Or. App.;Wyo.;D. Chip.;N. Chip.;Brayt.;Aik.;Tyl.;Smith (N.H.);Bur.
SCC|S.C.C.;SCR|S.C.R.;SCC (Cri)|SCC Cri;Supp SCC|SCC Supp;SCC OnLine SC;SCC Online SC;SCALE;JT;Cri LJ|Cri. L.J.|CrLJ;ITR|I.T.R.;STC;ELT;GLR;GLH;KLT;MLJ;LW;ALT|Andh LT;ALD;BomCR|Bom CR;Mh LJ|Mah LJ;PLR;RCR (Civil)|RCR (Criminal);DLT;LLJ;LLN;Lab IC;FLR;CLR;CTC;TMI;ACJ;Comp Cas;UPLBEC;AWC;ADJ;ALL LJ;PLJR;BLJR;CWN;CLJ;CHN;ILR;QB|Q.B.;KB|K.B.;AC|A.C.;Ch. D.;WLR|W.L.R.;All ER|All E.R.;Eng. Rep.;ER;Lloyd's Rep.;U.C.Q.B.;D.L.R.;O.R.;S.C.R.
";

/// Series that report statutes or session laws by volume and page.
const LAW_SERIES: &str = "
Stat.|Stat. at L.|Stat. at Large;U.S.C.C.A.N.|U.S. Code Cong. & Admin. News;DCSTAT|D.C. Stat.;Cong. Rec.;Cong. Globe;Weekly Comp. Pres. Doc.
";

/// Series that report regulations by volume and page.
const REGISTER_SERIES: &str = "Fed. Reg.|FR|F.R.;Treas. Reg.;D.C. Reg.;N.Y. Reg.";

/// Law journals whose abbreviation does not end in one of the usual words.
const JOURNALS: &str = "F.B.I.S.;Harv. C.R.-C.L.;Fordham Int'l;A.B.A.J.|A.B.A. J.;Bus. Law.;Crim. L. Bull.;Tax Law.;Urb. Law.;Trial;Judicature;Law & Contemp. Probs.;Law & Hum. Behav.;J. Crim. L. & Criminology;Lab. Law.;Int'l Law.;Fam. Advoc.";

/// Neutral citations by year: the word between year and number, and its court.
const NEUTRAL: &str = "
IL;IL App (1st);IL App (2d);IL App (3d);IL App (4th);IL App (5th);CO;COA;ME;MT;ND;ND App;NMSC;NMCA;NMCERT;NM;OK;OK CIV APP;OK CR;OH|-Ohio-;UT;UT App;VT;WI;WI App;WY;SD;AR;Ark. App.;NCSC;NCCOA;NCBC;NCWCA;MS;LA;PA Super|Pa. Super.;MI;NH;KY;AZ;DE;IA;ID;NV;GU|Guam;MP;VI;S.D.;N.D.;N.D. App.;SCC;DNH;D.N.H.;NY Slip Op
EWCA Civ;EWCA Crim;EWHC;UKSC;UKHL;UKPC;ONCA;BCCA;ABCA;FCA;FC;HCA;FCAFC;INSC;DHC;SCC OnLine Del;SCC OnLine Bom;SCC OnLine Cal;SCC OnLine Mad;SCC OnLine Kar;SCC OnLine All
";

/// The listed reporters, and those of neutral citations, which are tried after the states'
/// reporters.
static LISTED: LazyLock<HashMap<String, Reporter>> = LazyLock::new(listed);
static NEUTRALS: LazyLock<HashMap<String, Reporter>> = LazyLock::new(|| {
    let mut table = HashMap::new();
    add(&mut table, NEUTRAL, CitationForm::FullCase, true);
    table
});

fn listed() -> HashMap<String, Reporter> {
    let mut table = HashMap::with_capacity(2_000);
    add(&mut table, CASE_REPORTERS, CitationForm::FullCase, false);
    add(&mut table, LAW_SERIES, CitationForm::Statute, false);
    add(&mut table, REGISTER_SERIES, CitationForm::Regulation, false);
    add(&mut table, JOURNALS, CitationForm::Journal, false);
    table
}

/// Adds a list: entries are separated by `;` or lines, spellings by `|`, the usual one first. The first entry
/// of a key is kept.
fn add(table: &mut HashMap<String, Reporter>, list: &str, form: CitationForm, by_year: bool) {
    for entry in list.split([';', '\n']).filter(|entry| !entry.is_empty()) {
        let name = entry.split('|').next().unwrap_or(entry);
        for spelling in entry.split('|') {
            let key = reporter_key(spelling);
            if !key.is_empty() && key.len() <= LONGEST_KEY {
                table.entry(key).or_insert_with(|| Reporter {
                    name: name.to_owned(),
                    form,
                    court: one_court(name),
                    by_year,
                });
            }
        }
    }
}

/// The court of a reporter that reports only one court.
fn one_court(name: &str) -> Option<&'static str> {
    match name {
        "U.S." | "S. Ct." | "L. Ed." | "L. Ed. 2d" | "U.S. LEXIS" | "U.S.L.W." | "Cranch"
        | "Wheat." | "Dall." => Some("us/supreme"),
        "IL" => Some("il/supreme"),
        "Fed. Cl." => Some("us/federal-claims"),
        "Cal. 4th" | "Cal. 5th" | "Cal. 3d" | "Cal. 2d" => Some("ca/supreme"),
        "N.Y.2d" | "N.Y.3d" | "N.Y. 2d" | "N.Y. 3d" => Some("ny/appeals"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_and_dots_do_not_matter() {
        for spelling in ["F. Supp. 2d", "F.Supp.2d", "F Supp 2d", "F. Supp.2d"] {
            let key = reporter_key(spelling);
            assert_eq!(reporter(&key).unwrap().name, "F. Supp. 2d", "{spelling}");
        }
    }

    #[test]
    fn states_series_are_known() {
        for (key, name) in
            [("calapp4th", "Cal. App. 4th"), ("ohiost3d", "Ohio St. 3d"), ("wis2d", "Wis. 2d")]
        {
            assert_eq!(reporter(key).unwrap().name, name);
        }
        assert_eq!(reporter("alalaws").unwrap().form, CitationForm::Statute);
    }
}
